-- Nothing new about an erased learner in `credit_requests`.

CREATE TRIGGER credit_requests_refuse_erased BEFORE INSERT ON credit_requests FOR EACH ROW EXECUTE FUNCTION refuse_erased();
