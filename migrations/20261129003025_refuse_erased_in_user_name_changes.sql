-- Nothing new about an erased learner in `user_name_changes`.

CREATE TRIGGER user_name_changes_refuse_erased BEFORE INSERT ON user_name_changes FOR EACH ROW EXECUTE FUNCTION refuse_erased();
