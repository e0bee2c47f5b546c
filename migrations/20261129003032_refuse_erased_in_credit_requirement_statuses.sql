-- Nothing new about an erased learner in `credit_requirement_statuses`.

CREATE TRIGGER credit_requirement_statuses_refuse_erased BEFORE INSERT ON credit_requirement_statuses
    FOR EACH ROW EXECUTE FUNCTION refuse_erased();
