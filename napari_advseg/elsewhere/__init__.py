"""The attack on a worker of a Dask scheduler, the rest here: same progress, same cancel, same result.

Nothing is imported here: a worker that is greeted must not load torch in the thread that answers its scheduler.
"""
