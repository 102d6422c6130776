-- The second file, attached as `secret`: mode 0600 of the rotation's user. Written again at each migration: harmless.
CREATE TABLE IF NOT EXISTS secret.dkim_secret (
  key_id INTEGER PRIMARY KEY,                   -- dkim_key.id; no foreign key reaches into another file
  private_pem TEXT NOT NULL CHECK (length(private_pem) > 0)
);
