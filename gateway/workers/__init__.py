"""Killable worker processes with deadlines, for big bodies and Rego.

Parsers and policy engines hold the GIL for a whole call and have no deadline of their own, so they
run in processes that can be killed. The byte of a frame (`child`) is its count of descriptors;
frames are answered in order:

    parent ──▶ setup ──▶ child        once; the child answers an empty frame when it is ready
    parent ──▶ job (+ descriptors)    up to `depth` in flight
    parent ◀── answer                 in the order of the jobs

    pool        `WorkerPool.call`: a job to the worker that has least to do, and its answer
    worker      one child process at a time: its jobs, their deadlines, another where it died
    answering   the child's side

What comes from a child is bytes: callers decode them with a type, since a child reads hostile
input.
"""
