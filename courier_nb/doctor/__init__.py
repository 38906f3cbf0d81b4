"""What is wrong between this machine and the service, and how the service behaves where nobody outside can know.

The checks read only (`examine`). The probes try things out on a throw-away queue, after consent (`probing`), and answer the
switches of the local broker.
"""
