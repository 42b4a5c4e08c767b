"""The tables as the report and the summary have them: what draws is not needed to read them."""

import pandas as pd

Frames = dict[str, pd.DataFrame]  # by the name of the table
