-- Which trace a submission started (W3C `traceparent`), so that the vendor's callback and the sweep go on with it.

ALTER TABLE attempts ADD COLUMN trace text;
