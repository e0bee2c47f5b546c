-- Who paid is not kept of an erased learner.

CREATE TRIGGER orders_forget_payer BEFORE UPDATE ON orders FOR EACH ROW
    WHEN (NEW.billed_to <> '{}' AND NEW.billed_to IS DISTINCT FROM OLD.billed_to) EXECUTE FUNCTION forget_payer();
