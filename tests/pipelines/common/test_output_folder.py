import pytest

from pipelines.common.errors import UsageError
from pipelines.common.output_folder import refuse_other_files


def files(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return str(folder)


def test_a_folder_of_somebody_else_is_refused(tmp_path):
    message = r"holds files that no build wrote \(a\.wav, \.\.\.\); give a folder of its own"
    with pytest.raises(UsageError, match=message):
        refuse_other_files(files(tmp_path, "a.wav", "b.wav"), "build", work="_build", own=("b.wav",))


@pytest.mark.parametrize("names", [(), ("_build/x", "a.wav"), ("b.wav",), (f".a.wav.{'0' * 32}",)])
def test_a_folder_that_is_new_or_the_command_s_own_is_not(tmp_path, names):
    refuse_other_files(files(tmp_path, *names), "build", work="_build", own=("b.wav",))
    refuse_other_files(str(tmp_path / "none"), "build")
