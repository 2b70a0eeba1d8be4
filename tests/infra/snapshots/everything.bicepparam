// Every parameter and every setting, none at its default.
using '../../../infra/main.bicep'

param location = 'northeurope'
param environmentName = 'Every_thing.1'
param resourceGroupName = 'rg-reboots'
param tags = { owner: 'platform', 'cost-center': '42' }
param clusters = [
  {
    id: '/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/rg-prod/providers/Microsoft.ContainerService/managedClusters/aks'
    name: 'prod-1'
  }
  {
    id: '/subscriptions/00000000-0000-0000-0000-000000000002/resourceGroups/rg-prod/providers/Microsoft.ContainerService/managedClusters/aks'
    name: 'prod-2'
  }
]
param settings = {
  MAINTENANCE_WINDOWS: 'Sat,Sun 02:00-06:00 Europe/Paris; prod-2=daily 23:00+5h'
  TICK_SCHEDULE: '30 */2 * * * *'
  MAX_CONCURRENT: '2; */gpu=1'
  DRAIN_TIMEOUT: '45m; prod-2=1h'
  DRAIN_TIMEOUT_ACTION: 'reboot; prod-1=delete'
  WINDOW_CLOSES: 'finish'
  EXPECTED_DURATION: '20m'
  DRAIN_GRACE_PERIOD: 120
  DRAIN_POD_SELECTOR: 'app=web,tier in (a, b)'
  DRAIN_SKIP_WAIT_FOR_DELETE: '10m'
  UNMANAGED_PODS: 'block'
  REBOOT_TIMEOUT: '25m'
  REBOOT_INTERVAL: '36h'
  BEFORE_DRAIN: '1m'
  BEFORE_REBOOT: '2m'
  SOAK: '5m'
  PROBATION: '1h'
  HOLD: 'prod-2/db=the team is on it'
  DRY_RUN: true
  STATE_TABLE: 'everyReboot'
  NOTIFY_URLS: '@Microsoft.KeyVault(SecretUri=https://vault.vault.azure.net/secrets/notify-urls)'
}
param instanceMemoryMB = 2048
param network = { kind: 'new', addressPrefix: '10.90.0.0/26', privateStorage: true }
param alertEmails = ['platform@example.com']
param alertLimits = { waitingDays: 21, cordonedHours: 8, drainsGivenUp: 4, noTickMinutes: 15 }
param signIn = {
  clientId: '00000000-0000-0000-0000-0000000000c1'
  allowedGroupIds: ['00000000-0000-0000-0000-0000000000d1']
}
