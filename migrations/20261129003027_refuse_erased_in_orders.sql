-- Nothing new about an erased learner in `orders`.

CREATE TRIGGER orders_refuse_erased BEFORE INSERT ON orders FOR EACH ROW EXECUTE FUNCTION refuse_erased();
