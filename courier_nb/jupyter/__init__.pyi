# The widgets and where they live; loaded when they are first used. Relative imports are what the lazy loader understands.
from .bodies.viewer import BodyViewer
from .browser.browser import MessageBrowser
from .panels.drain import DrainPanel
from .panels.move import MovePanel
from .panels.receive import ReceivePanel
from .panels.replay import ReplayPanel
from .panels.settle import SettlePanel
from .picker.picker import DestinationPicker
from .widget import CourierWidget
from .workbench import Workbench

__all__ = [
    "BodyViewer",
    "CourierWidget",
    "DestinationPicker",
    "DrainPanel",
    "MessageBrowser",
    "MovePanel",
    "ReceivePanel",
    "ReplayPanel",
    "SettlePanel",
    "Workbench",
]
