-- The check of the file before, for the rows that were there: it reads the table without keeping anybody out.

ALTER TABLE attempts VALIDATE CONSTRAINT attempts_vendor_format;
