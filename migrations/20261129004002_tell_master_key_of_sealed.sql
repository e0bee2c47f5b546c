-- The id of the master key stands in the head of what is sealed; so it can be counted and found without opening anything.

CREATE FUNCTION sealed_under(sealed bytea) RETURNS bytea LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN length(sealed) > 5 AND substring(sealed FOR 4) = 'VSP1'::bytea
                THEN substring(sealed FROM 6 FOR get_byte(sealed, 4)) END
$$;
