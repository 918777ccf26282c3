"""`make demo-margin` tells the truth: the figures can be followed by hand."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_STORY = """\
The insurance fund has 5,000.00 USDT.
Ben sells 0.1 at 50,000: OPEN
Ada buys 0.1 at 50,000: FILLED
  Ada: equity 1,000.00, maintenance margin 500.00, SAFE; 0.1 BTC, liquidated at 44,444.44

The mark is 48,000.
  Ada: equity 800.00, maintenance margin 480.00, SAFE; 0.1 BTC, liquidated at 44,444.44

The mark is 45,500.
  Ada: equity 550.00, maintenance margin 455.00, CALL; 0.1 BTC, liquidated at 44,444.44
  Margin call for Ada: the ratio is above 0.8 (455.00 / 550.00)

The mark is 45,000.
  Ada: equity 500.00, maintenance margin 450.00, CALL; 0.1 BTC, liquidated at 44,444.44
  Margin call for Ada: the ratio is above 0.9 (450.00 / 500.00)
Cora buys 0.05 at 44,000: OPEN

The mark is 44,000.
  Ada is liquidated: RESTORED
    1. FREEZE
    2. CLOSE_ON_BOOK: sold 0.0141 at 44,000.00
    3. FEE: 3.10
    4. UNFREEZE
  The insurance fund: +3.10
  Ada: equity 396.90, maintenance margin 377.96, CALL; 0.0859 BTC, liquidated at 43,755.04

Cora takes her bid away: nobody buys any more.

The mark is 42,000.
  Ada is liquidated: CLOSED
    1. FREEZE
    2. TAKEOVER: sold 0.0859 at 39,379.54
    3. UNFREEZE
  The insurance fund: +225.10
  Ada: equity 0.00, maintenance margin 0.00, SAFE; no position

Ben sells 0.1 at 42,000: OPEN
Dora buys 0.1 at 42,000: FILLED
  Dora: equity 1,000.00, maintenance margin 420.00, SAFE; 0.1 BTC, liquidated at 35,555.56

The mark is 38,500.
  Dora: equity 650.00, maintenance margin 385.00, SAFE; 0.1 BTC, liquidated at 35,555.56

Then it falls so far at once that Dora owes money.

The mark is 31,000.
  Dora is liquidated: CLOSED
    1. FREEZE
    2. TAKEOVER: sold 0.1 at 32,000.00
  The insurance fund: -100.00
  Dora: equity 0.00, maintenance margin 0.00, SAFE; no position

The insurance fund has 5,003.10 USDT, and 0.1859 BTC to get rid of.
Cora buys 0.2 at 31,000: OPEN
  It sells them to Cora at the mark, and has 4,183.30 USDT.
  Cora: equity 49,816.70, maintenance margin 620.00, SAFE; 0.2 BTC, liquidated at nowhere

The books: Everything agrees.
"""


def test_the_story_of_a_margin_account() -> None:
    command = [sys.executable, "-m", "examples.margin_story"]
    told = subprocess.run(
        command, cwd=ROOT, check=False, capture_output=True, text=True, timeout=300
    )
    assert told.returncode == 0, told.stdout + told.stderr
    opening, _, story = told.stdout.partition("\n")
    assert opening.startswith("Starting a venue")
    assert story == _STORY
