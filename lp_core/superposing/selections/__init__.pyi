from .greedy import search as search
