from browser import browser as browser
from browser import modules as modules
from browser import reader as reader
