-- The profile of an erased learner stays empty.

CREATE TRIGGER users_refuse_return BEFORE UPDATE ON users FOR EACH ROW
    WHEN (OLD.erased_at IS NOT NULL AND (NEW.erased_at IS NULL OR NEW.username <> '' OR NEW.email <> '' OR NEW.full_name <> ''
                                         OR NEW.country IS NOT NULL))
    EXECUTE FUNCTION refuse_return();
