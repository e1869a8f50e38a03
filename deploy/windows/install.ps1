# Installs obid as a Windows service with NSSM (https://nssm.cc). Run as administrator from the folder that was cloned:
#   powershell -ExecutionPolicy Bypass -File deploy\windows\install.ps1 -Mode shadow -Engine perps
# Needs Python 3.11 or newer on PATH and nssm.exe on PATH. `-Remove` takes the service away; the state stays.
param(
    [ValidateSet("live", "paper", "shadow", "synthetic")] [string] $Mode = "synthetic",
    [ValidateSet("perps", "crypto", "equities")] [string[]] $Engine = @("perps"),
    [string] $Config = "",
    [string] $Data = "$env:ProgramData\obid",
    [string] $Name = "obid",
    [switch] $Remove
)
$ErrorActionPreference = "Stop"
$Root = (Resolve-Path "$PSScriptRoot\..\..").Path
$Python = "$Root\.venv\Scripts\python.exe"

function Invoke-Checked { param([string] $Program, [string[]] $Words)
    & $Program @Words
    if ($LASTEXITCODE -ne 0) { throw "$Program $($Words -join ' ') ended with $LASTEXITCODE" }
}

if ($Remove) {
    foreach ($service in $Name, "$Name-deadman") {
        & nssm stop $service 2>$null
        & nssm remove $service confirm 2>$null
    }
    Write-Host "removed; the state is still in $Data"
    exit 0
}

if (-not (Test-Path $Python)) {
    Invoke-Checked "python" @("-m", "venv", "$Root\.venv")
    Invoke-Checked $Python @("-m", "pip", "install", "--quiet", "--require-hashes", "-r", "$Root\requirements.lock")
    Invoke-Checked $Python @("-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "-e", $Root)
}
New-Item -ItemType Directory -Force -Path $Data | Out-Null
# The state and its keys are for administrators and the system alone.
Invoke-Checked "icacls" @($Data, "/inheritance:r", "/grant:r", "*S-1-5-32-544:(OI)(CI)F", "*S-1-5-18:(OI)(CI)F")

$Tail = @()
foreach ($one in $Engine) { $Tail += @("--engine", $one) }
if ($Config -ne "") { $Tail += @("--config", "`"$Config`"") }
$Tail += @("--data-dir", "`"$Data`"")

function Install-Service { param([string] $Service, [string[]] $Words)
    Invoke-Checked "nssm" @("install", $Service, $Python, ($Words -join " "))
    Invoke-Checked "nssm" @("set", $Service, "AppDirectory", $Root)
    Invoke-Checked "nssm" @("set", $Service, "AppStdout", "$Data\$Service.out.log")
    Invoke-Checked "nssm" @("set", $Service, "AppStderr", "$Data\$Service.err.log")
    Invoke-Checked "nssm" @("set", $Service, "AppRotateFiles", "1")
    Invoke-Checked "nssm" @("set", $Service, "AppRotateBytes", "67108864")
    # Ctrl-C first, which obid takes for a clean stop, and 20 s for it; nothing harder before that.
    Invoke-Checked "nssm" @("set", $Service, "AppStopMethodConsole", "20000")
    Invoke-Checked "nssm" @("set", $Service, "AppExit", "Default", "Restart")
    Invoke-Checked "nssm" @("set", $Service, "AppExit", "0", "Exit")
    Invoke-Checked "nssm" @("set", $Service, "AppExit", "2", "Exit") # a wrong configuration is not mended by a restart
    Invoke-Checked "nssm" @("set", $Service, "AppRestartDelay", "1000")
    Invoke-Checked "nssm" @("start", $Service)
}

Install-Service $Name (@("-m", "daemon", "run", "--plain", "--mode", $Mode) + $Tail)
if ($Mode -in "live", "paper") {
    Install-Service "$Name-deadman" (@("-m", "daemon", "deadman", "--mode", $Mode) + $Tail)
}
Write-Host "running; follow it with: $Root\.venv\Scripts\obid logs -f --data-dir $Data"
