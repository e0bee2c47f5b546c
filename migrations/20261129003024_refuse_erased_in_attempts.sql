-- Nothing new about an erased learner in `attempts`.

CREATE TRIGGER attempts_refuse_erased BEFORE INSERT ON attempts FOR EACH ROW EXECUTE FUNCTION refuse_erased();
