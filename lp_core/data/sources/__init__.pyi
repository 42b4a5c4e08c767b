from .arrow import read_arrow as read_arrow
from .digits import read_digits as read_digits
from .examples import Examples as Examples
from .examples import Published as Published
from .folder import read_folder as read_folder
from .parquet import read_parquet as read_parquet
from .torchvision_sets import read_torchvision as read_torchvision
