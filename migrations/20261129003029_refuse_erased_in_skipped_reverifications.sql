-- Nothing new about an erased learner in `skipped_reverifications`.

CREATE TRIGGER skipped_reverifications_refuse_erased BEFORE INSERT ON skipped_reverifications
    FOR EACH ROW EXECUTE FUNCTION refuse_erased();
