-- +goose Up

-- encryption_key is the public JWK that an API's tokens are encrypted for, or
-- ''; those of an opaque one are encrypted for this server.
ALTER TABLE api ADD COLUMN encryption_key TEXT NOT NULL DEFAULT '';
ALTER TABLE api ADD COLUMN opaque BOOLEAN NOT NULL DEFAULT false;
