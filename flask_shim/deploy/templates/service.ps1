# Installs, starts, stops and removes the shim as a service or scheduled task on Windows.
#
#   .\service.ps1 install            as a service by WinSW (flask-shim.exe beside this script)
#   .\service.ps1 install -With nssm as a service by NSSM (nssm.exe on the PATH)
#   .\service.ps1 install -With task at logon of the current user, by Task Scheduler
#   .\service.ps1 start | stop | status | remove   [-With ...]
#
# Run it as administrator for winsw and nssm. Settings are in {{ root }}\.env.

[CmdletBinding()]
param(
    [Parameter(Mandatory = $true, Position = 0)]
    [ValidateSet('install', 'start', 'stop', 'status', 'remove')]
    [string] $Action,

    [ValidateSet('winsw', 'nssm', 'task')]
    [string] $With = 'winsw'
)

$ErrorActionPreference = 'Stop'

$Name = 'flask-shim'
$Root = '{{ root | replace("'", "''") }}'
$Python = '{{ python | replace("'", "''") }}'
$Arguments = '-m flask_shim serve'
$Logs = Join-Path $Root 'logs'
$Data = Join-Path $Root 'data'
$WinSW = Join-Path $PSScriptRoot 'flask-shim.exe'

function Invoke-Program([string] $Program, [string[]] $Words) {
    & $Program @Words
    if ($LASTEXITCODE -ne 0) { throw "$Program $Words ended with $LASTEXITCODE" }
}

function New-Folders {
    foreach ($folder in $Logs, $Data) {
        New-Item -ItemType Directory -Force -Path $folder | Out-Null
        # Let LocalService write here. It is named by its SID, because its name is translated.
        if ($With -ne 'task') { Invoke-Program 'icacls' @($folder, '/grant', '*S-1-5-19:(OI)(CI)M', '/Q') | Out-Null }
    }
}

function Install-Shim {
    New-Folders
    switch ($With) {
        'winsw' {
            Copy-Item (Join-Path $PSScriptRoot 'flask-shim.winsw.xml') (Join-Path $PSScriptRoot 'flask-shim.xml') -Force
            Invoke-Program $WinSW @('install')
        }
        'nssm' {
            Invoke-Program 'nssm' @('install', $Name, $Python, $Arguments)
            Invoke-Program 'nssm' @('set', $Name, 'AppDirectory', $Root)
            # These two apply if neither the environment nor .env sets SHIM_LOG_FILE and SHIM_DATA_DIR.
            Invoke-Program 'nssm' @('set', $Name, 'AppEnvironmentExtra', 'PYTHONUTF8=1', "SHIM_SERVICE_LOG_FILE=$Logs\shim.log", "SHIM_SERVICE_DATA_DIR=$Data")
            # Send Ctrl-C and wait for running answers; the default is 1.5 seconds.
            Invoke-Program 'nssm' @('set', $Name, 'AppStopMethodConsole', '{{ stop_timeout }}000')
            # Exit code 2 means wrong settings: a restart would not help.
            Invoke-Program 'nssm' @('set', $Name, 'AppExit', '2', 'Exit')
            Invoke-Program 'nssm' @('set', $Name, 'ObjectName', 'NT AUTHORITY\LocalService')
        }
        'task' {
            $what = New-ScheduledTaskAction -Execute $Python -Argument $Arguments -WorkingDirectory $Root
            $when = New-ScheduledTaskTrigger -AtLogOn -User $env:USERNAME
            # By default a task ends after three days and runs with low priority.
            $how = New-ScheduledTaskSettingsSet -ExecutionTimeLimit ([TimeSpan]::Zero) -Priority 5 -RestartCount 3 -RestartInterval (New-TimeSpan -Minutes 1) -AllowStartIfOnBatteries -DontStopIfGoingOnBatteries
            Register-ScheduledTask -TaskName $Name -Action $what -Trigger $when -Settings $how -Force | Out-Null
        }
    }
}

function Start-Shim {
    if ($With -eq 'task') { Start-ScheduledTask -TaskName $Name } else { Start-Service -Name $Name }
}

function Stop-Shim {
    # A scheduled task is killed: running answers are cut.
    if ($With -eq 'task') { Stop-ScheduledTask -TaskName $Name } else { Stop-Service -Name $Name }
}

function Show-Shim {
    if ($With -eq 'task') { Get-ScheduledTask -TaskName $Name } else { Get-Service -Name $Name }
}

function Remove-Shim {
    Stop-Shim
    switch ($With) {
        'winsw' { Invoke-Program $WinSW @('uninstall') }
        'nssm' { Invoke-Program 'nssm' @('remove', $Name, 'confirm') }
        'task' { Unregister-ScheduledTask -TaskName $Name -Confirm:$false }
    }
}

switch ($Action) {
    'install' { Install-Shim }
    'start' { Start-Shim }
    'stop' { Stop-Shim }
    'status' { Show-Shim }
    'remove' { Remove-Shim }
}
