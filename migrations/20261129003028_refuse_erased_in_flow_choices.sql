-- Nothing new about an erased learner in `flow_choices`.

CREATE TRIGGER flow_choices_refuse_erased BEFORE INSERT ON flow_choices FOR EACH ROW EXECUTE FUNCTION refuse_erased();
