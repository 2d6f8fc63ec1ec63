"""The engineer's tools: a body, claims and an endpoint in, what the policy would do out.

    wording      texts for a terminal
    unusable     what a tool can't work with, in one line and perhaps with the place
    samples      a body as an upstream would send it: from memory or a file
    fetching     ... or from a URL (network)
    tokens       claims without a signature → `Caller`, by the code that reads real tokens
    inprocess    inspects and redacts in this process
    desk         one trial: `exchange.guard` with everything real but the two ends

    explain      why a trial ends as it does; `explanation` has its nouns
    bodyfault    the line of a body that a refusal speaks of
    cases        YAML → cases; `judging` plays them
    regotests    a bundle's Rego tests, on the configured engine
    replay/      a decision log against a candidate bundle
    infer/       sample bodies → a proposed `body:` block
    mutate/      one thing in a real body is changed: does the policy notice?

    modules      the modules that decide: of a bundle; `opamodules`: of a running OPA (network)
    bench        a killable process with regorus in it; `account` has its messages
    rego         the child's side; `syntax` reads its syntax tree, `hoisting` mends tests for it

What they are given belongs to the engineer: they print it to the terminal, and log nothing.
"""
