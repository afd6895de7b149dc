import subprocess
import sys

ASK = """
from services.embedding.encoding import openvino_runtime
from openvino.tools.ovc import telemetry_utils
print(telemetry_utils.tm.__name__)
"""


class TestImport:
    def test_nothing_is_reported_to_anyone(self):
        answer = subprocess.run([sys.executable, "-c", ASK], capture_output=True, text=True, check=True)

        assert answer.stdout.strip() == "openvino.tools.ovc.telemetry_stub"
