"""What the arguments of stages mean, as `--help` has it. {section} is that of params.yaml.

A line each:
dataset: the data set, a name under {section}
variant: the variant, a name under {section}
seed: the entry of `seeds`; the run's random numbers come from it
ticket: the ticket's number, from 0, which is dense; `imp.rounds` lists them
parent: what the ticket is pruned from: the number of a ticket, or rewind
method: the method, a name under {section}
ending: how the training ends, a name under {section}
pool: the pooling that the sparse ticket joins, a name under {section}
name: the network of several members, an entry of {section}
start: where forks begin: rewind, or a ticket's number; an entry of {section}
noise: the noise seed: of data order and augmentation; `sgd_noise.noise` lists them
removed: the images that are left out, such as easiest-30; an entry of {section}
masks: the variant whose mask is trained, a name under {section}
training: the variant by whose settings it is trained, a name under {section}
target: the data set that frozen networks are transferred to, a name under {section}
network: the ticket's own mask, or one permuted layer by layer; an entry of {section}
percent: how much of each class is trained on; `sgd_noise.few_shot.percent` lists them
selection: which images of each class are kept, an entry of {section}
step: the number of the probe in its search, from 1; `sgd_noise.stable_rewind.steps` lists them
after: what the probe comes after: the number of another, or start

(In a docstring, which no fingerprint of code holds: another wording makes no stage stale.)
"""


def explanation(name: str, section: str) -> str:
    """The line of an argument. section: the part of params.yaml that its values are from."""
    lines = (line.partition(": ") for line in (__doc__ or "").splitlines())
    texts = {argument: text for argument, _, text in lines}
    return texts.get(name, "").format(section=f"`{section}`")
