-- +goose Up

-- oldest is the lowest version that a program must know to work with these
-- tables. A migration raises it only where older programs would do harm.
ALTER TABLE store ADD COLUMN oldest BIGINT NOT NULL DEFAULT 6;
