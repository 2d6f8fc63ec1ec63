"""Where bundles come from: a folder, a `.tar.gz`, or a bundle server.

    source ─▶ watched (folder, archive) ─┐
           └▶ server (download) ─────────┴▶ reading ─▶ signatures ─▶ contents ─▶ Bundle

source      what a source is, and the one that fits the settings
settings    how bundles get here, and what proves them
watched     a folder or an archive on this machine
server      a bundle server, and what is remembered for the time when it is down
download    one request over HTTP: the only outside
reading     a folder or an archive → a bundle: read, unpacked, proven, parsed
folder      a folder as it was at one moment, ConfigMaps included
archive     a gzip stream, bounded while it is inflated
tar         its files, in the one reading that all readers share
files       regular files, and how one is told from another
signatures  `.signatures.json`, as OPA writes it
keys        the key that bundles must be signed with
contents    files → modules, data and a revision
documents   data documents: strict, bounded, each at its place
revisions   which of two editions is older
lastgood    the last good bundle on disk
pauses      how long to wait before asking again
faults      why a bundle can't be used
"""
