"""The log of every decision: durable before a byte leaves, chained, and free of personal data.

    settings    where the log and its key are
    key         the secret file → two derived keys and a public key id
    pseudonyms  identifier → keyed hash; equality is kept, nothing else
    plain       what may be written as it is
    question    `Question` → the same in pseudonyms, so that it can be asked again
    spellings   whether a policy's text spells a value of a person
    entry       `Evidence` of one exchange → one JSON object in OPA's decision-log terms
    chain       entry → line: `seq`, `prev` and `hash` tie each line to the one before
    anchor      a keyed statement of how far the log reached, kept beside it
    file        the log and its anchor on disk: open, commit, recover        (touches the disk)
    messages    what the gateway and the process that writes say to each other
    writer      groups of entries made durable, faults confessed
    process     the writer's process                                         (a socket pair)
    debts       what the log still owes of exchanges that were refused
    append      `DecisionLog.append`: returns when the entry is durable
    supervisor  the writer's process, and another in its place where it dies (a child process)
    verify      the auditor's reading: names the first line that can't be trusted

What an entry proves: the gateway *decided* so at that time, before anything left. It doesn't prove
delivery: after a crash the last entries may be about exports that nobody received. The reverse,
an export without its entry, can't happen. Two entries may have one `decision_id`, where an entry
became durable too late for its exchange to wait: the later one, a refusal, is what happened.

To start a new log (a rotation), stop the gateway and move the file and its anchor away together.
"""
