-- +goose Up

-- claims is a template of custom claims, a JSON object, or ''. The id of an
-- external account is what another system calls its holder.
ALTER TABLE account ADD COLUMN external BOOLEAN NOT NULL DEFAULT false;
ALTER TABLE account ADD COLUMN claims TEXT NOT NULL DEFAULT '';
ALTER TABLE session ADD COLUMN claims TEXT NOT NULL DEFAULT '';
