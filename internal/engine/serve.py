"""Serves one model over HTTP. Fairlead writes this file and starts it.

The first line on stdin is the settings as JSON (so that no key shows in the
list of processes); when stdin closes, the parent is gone and so are we.
"""
import json
import os
import sys
import threading


def end_with_parent():
    while sys.stdin.read(4096):
        pass
    os._exit(0)


settings = json.loads(sys.stdin.readline())
threading.Thread(target=end_with_parent, daemon=True).start()
sys.path.insert(0, settings["path"])
import xllamacpp

params = xllamacpp.CommonParams()
params.model.path = settings["model"]
params.model_alias = {settings["alias"]}
params.hostnames = ["127.0.0.1"]
params.port = settings["port"]
params.api_keys = [settings["key"]]
params.n_ctx = settings["context"]
params.n_parallel = settings["slots"]
params.cache_ram_mib = settings["cache_mib"]
params.use_jinja = True
params.endpoint_metrics = True
params.endpoint_slots = True
params.offline = True
params.ui = False
for cpu in (params.cpuparams, params.cpuparams_batch):
    cpu.n_threads = settings["threads"]
server = xllamacpp.Server(params)
threading.Event().wait()
