from .spec import EndingSpec as EndingSpec
