"""Completion for PowerShell; click has bash, zsh and fish."""

from __future__ import annotations

import os

from click.shell_completion import CompletionItem, ShellComplete, add_completion_class

# The words up to the cursor go to ondevice one a line, the last one being the one to complete.
# Where nothing is answered PowerShell completes files by itself.
_SCRIPT = """\
Register-ArgumentCompleter -Native -CommandName %(prog_name)s -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)
    $words = @($commandAst.CommandElements |
        Where-Object { $_.Extent.StartOffset -lt $cursorPosition } |
        ForEach-Object { $_.Extent.Text.Trim("'", '"') })
    if ($wordToComplete -eq '') { $words += '' }
    $env:COMP_WORDS = $words -join "`n"
    $env:%(complete_var)s = 'powershell_complete'
    try {
        & %(prog_name)s | ForEach-Object {
            $type, $value, $help = $_ -split "`t", 3
            if ($type -eq 'plain') {
                $text = if ($value -match '\\s') { "'$value'" } else { $value }
                $tip = if ($help) { $help } else { $value }
                [System.Management.Automation.CompletionResult]::new(
                    $text, $value, 'ParameterValue', $tip)
            }
        }
    }
    finally {
        Remove-Item Env:COMP_WORDS, Env:%(complete_var)s
    }
}
"""


class PowerShellComplete(ShellComplete):
    """Speaks with the script above."""

    name = "powershell"
    source_template = _SCRIPT

    def get_completion_args(self) -> tuple[list[str], str]:
        """Return the words before the cursor, and the one at it."""
        words = os.environ.get("COMP_WORDS", "").split("\n")
        return words[1:-1], words[-1] if len(words) > 1 else ""

    def format_completion(self, item: CompletionItem) -> str:
        """Return one line: kind, value and help between tabs."""
        help_text = " ".join((item.help or "").split())
        return f"{item.type}\t{item.value}\t{help_text}"


add_completion_class(PowerShellComplete)
