"""Where the repository keeps what tests read."""

from pathlib import Path

TESTS = Path(__file__).parent
ROOT = TESTS.parent
CONFIGS = ROOT / "configs"
GALLERY = TESTS / "gallery"
GALLERY_AARCH64 = TESTS / "gallery_aarch64"
GOLDEN = TESTS / "golden"
TRANSCRIPTS = TESTS / "transcripts"
TRIAL = TESTS / "trial"
CASES = TESTS / "cases"
