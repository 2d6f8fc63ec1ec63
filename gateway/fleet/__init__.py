"""Several processes that serve one data port, and one that has what there is once (ADR 12).

main process ── admin port, signals, the decision log's writer, the sum of all numbers
  ├─ serving process 1 ── event loop, data plane (`app`), its inspecting and Rego processes
  ├─ serving process 2 ── …
  └─ the log's writer ── one file, one chain, one sync for the entries of all

cores       how many processes `workers: auto` means
portions    what one process gets of what the configuration allows the gateway
messages    what the main process and a serving one say to each other
process     a serving process's life
member      the main process's side of one: another in its place where it dies or stands still
fleet       all of them, as one gateway
"""
