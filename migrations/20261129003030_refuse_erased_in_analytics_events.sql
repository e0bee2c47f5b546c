-- Nothing new about an erased learner in `analytics_events`.

CREATE TRIGGER analytics_events_refuse_erased BEFORE INSERT ON analytics_events FOR EACH ROW EXECUTE FUNCTION refuse_erased();
