"""Body → `Inspection`: whose data each record of a response is.

    settings    what an endpoint's configuration says about its body
    codings/    one file a content coding or compression: decoded to its proven end, encoded again
    source      a stored body as decoded chunks, every byte of the codings accounted for
    sinks       where a rewritten body goes
    detection   which format it is: the declared type and the bytes must agree
    locators    JSONPath and member patterns, compiled
    charset     character encodings, decoded strictly and encoded back to the same bytes
    rows        delimited text as rows with their exact bytes
    archive     what all archives share: a container's entries, whose each is; `fates` rewrites it
    scratch     where an archive is laid out that must be decoded before it can be read
    tally       owners, attributions and categories, counted under limits
    formats/    one file a format: `inspect` counts its records, `rewrite` keeps the permitted ones
    work        one job, from stored body to inspection or rewritten body; runs here or in a worker
    dispatch    where a job runs: small ones here, big ones in a killable worker process

A new format is one file in `formats/` and one row in `formats.FORMATS`.
"""
