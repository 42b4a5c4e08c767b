"""Lottery Pools: the whole DVC graph from the data to the report, or a part of it."""

from flows.reproduce import main, reproducing_flow

imp_pool = reproducing_flow("flows.imp_pool", __doc__, targets=["*"])

if __name__ == "__main__":
    main(imp_pool)
