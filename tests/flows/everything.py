"""Runs every stage of whatever graph there is: the flow of tests on toy projects."""

from flows.reproduce import main, reproducing_flow

everything = reproducing_flow("tests.flows.everything", __doc__, targets=["*"], switch="stages")

if __name__ == "__main__":
    main(everything)
