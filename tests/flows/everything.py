"""Runs every stage of whatever graph there is: the flow of tests on toy projects."""

from flows.command_line import main
from flows.reproduce import reproducing_flow

everything = reproducing_flow("tests.flows.everything", __doc__, targets=["*"], switch="stages")

if __name__ == "__main__":
    main(everything)
