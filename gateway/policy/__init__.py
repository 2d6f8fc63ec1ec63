"""Question → Decision: the contract with a Rego policy, and the engines that answer.

settings.py      which policy, which engine
contract.py      the question and the answer; pure
decisions.py     ties the contract to an engine
engine.py        what an engine is
embedded.py      regorus in worker processes that can be killed
rego_worker.py   the child's side of it
opa.py           a real OPA over HTTP: an outside
bundle.py        one that lies on this machine, read once
bundles/         where bundles come from, and what proves them
"""
