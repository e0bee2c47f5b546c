-- Nothing new about an erased learner in `enrollments`.

CREATE TRIGGER enrollments_refuse_erased BEFORE INSERT ON enrollments FOR EACH ROW EXECUTE FUNCTION refuse_erased();
