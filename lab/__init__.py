"""i2v-lab: image-to-video experiments. Sweep, score, compare, report.

The rooms, top floor first. A room may import the floors below it, never beside or above.

    9  cli                          the command line: every command is one public call
       notebook                     how a notebook starts
       widgets                      panels for notebooks: every button is one public call
    8  report                       one self-contained HTML file from runs
    7  player                       synchronised clips: one ES module and the JSON it reads
       calibration > analysis       how far the metrics can be trusted; tidy tables, figures
    6  runs                         the ledger, the runner, executors
    5  sweeps                       factors -> trials -> takes; the plan with its price
    4  measures > metrics           the record of what was measured on a clip; what scores it
       backends                     what makes clips
       emulator                     a paid service on loopback
    3  render                       the deterministic renderer
    2  clips > takes > shots > prompts, elements > stills > findings     the nouns
    1  vision > media               pixels; only media opens image, video or sound bytes
    0  settings, files, samples, loopback, units, errors

`lab/__init__.pyi` lists the public names. Each room is imported when one of its names is first
used, so `import lab` is fast.
"""

import lazy_loader

__version__ = "0.1.0"

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
