export const schema = `
CREATE TABLE IF NOT EXISTS channel (
  id TEXT PRIMARY KEY,
  clientId TEXT NOT NULL,
  title TEXT NOT NULL,
  handle TEXT NOT NULL,
  hidesSubscribers INTEGER NOT NULL,
  createdAt INTEGER NOT NULL,
  UNIQUE (clientId, handle)
) STRICT;
CREATE TABLE IF NOT EXISTS consentRequest (
  hash TEXT PRIMARY KEY,
  clientId TEXT NOT NULL,
  redirectUri TEXT NOT NULL,
  scope TEXT NOT NULL,
  state TEXT,
  codeChallenge TEXT,
  offline INTEGER NOT NULL,
  forced INTEGER NOT NULL,
  expiresAt INTEGER NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS accessGrant (
  id INTEGER PRIMARY KEY,
  clientId TEXT NOT NULL,
  channelId TEXT NOT NULL REFERENCES channel,
  UNIQUE (clientId, channelId)
) STRICT;
CREATE TABLE IF NOT EXISTS authorizationCode (
  hash TEXT PRIMARY KEY,
  grantId INTEGER NOT NULL REFERENCES accessGrant ON DELETE CASCADE,
  redirectUri TEXT NOT NULL,
  scope TEXT NOT NULL,
  codeChallenge TEXT,
  refreshable INTEGER NOT NULL,
  expiresAt INTEGER NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS token (
  hash TEXT PRIMARY KEY,
  grantId INTEGER NOT NULL REFERENCES accessGrant ON DELETE CASCADE,
  kind TEXT NOT NULL CHECK (kind IN ('access', 'refresh')),
  scope TEXT NOT NULL,
  expiresAt INTEGER
) STRICT;
CREATE INDEX IF NOT EXISTS tokenGrant ON token (grantId, kind);
CREATE INDEX IF NOT EXISTS tokenExpiry ON token (expiresAt);
CREATE TABLE IF NOT EXISTS video (
  id TEXT PRIMARY KEY,
  clientId TEXT NOT NULL,
  channelId TEXT NOT NULL REFERENCES channel,
  file TEXT NOT NULL,
  metadata TEXT NOT NULL,
  slug TEXT,
  bytes INTEGER NOT NULL,
  sha256 TEXT,
  mime TEXT,
  failureReason TEXT,
  views INTEGER NOT NULL DEFAULT 0,
  createdAt INTEGER NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS videoChannel ON video (channelId);
CREATE INDEX IF NOT EXISTS videoClient ON video (clientId);
CREATE TABLE IF NOT EXISTS uploadSession (
  hash TEXT PRIMARY KEY,
  channelId TEXT NOT NULL REFERENCES channel,
  file TEXT NOT NULL,
  metadata TEXT NOT NULL,
  parts TEXT NOT NULL,
  slug TEXT,
  total INTEGER,
  kept INTEGER NOT NULL DEFAULT 0,
  videoId TEXT REFERENCES video,
  expiresAt INTEGER NOT NULL
) STRICT;
`;
