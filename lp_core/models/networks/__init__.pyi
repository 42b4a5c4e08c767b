from .residual import resnet8 as resnet8
from .residual import resnet20 as resnet20
from .residual import wrn28_10 as wrn28_10
from .torchvision_resnet import resnet18 as resnet18
from .torchvision_resnet import resnet34 as resnet34
from .torchvision_resnet import resnet50 as resnet50
from .vgg import vgg16 as vgg16
