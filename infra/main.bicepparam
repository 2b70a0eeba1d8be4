// A sample to be edited. As it is, nothing is rebooted: DRY_RUN is true.
//   az deployment sub create --name aks-reboot-scheduler --location westeurope --parameters infra/main.bicepparam
//   azd up                                               (the environment's name and region are azd's own)
using 'main.bicep'

param environmentName = readEnvironmentVariable('AZURE_ENV_NAME', 'aks-reboots')
// One that offers Flex Consumption: az functionapp list-flexconsumption-locations
param location = readEnvironmentVariable('AZURE_LOCATION', 'westeurope')
// param resourceGroupName = 'rg-aks-reboots'
// param tags = { owner: 'platform' }

// Wherever they live: other resource groups, other subscriptions of the tenant.
//   az aks list --query '[].id' --output tsv
param clusters = [
  {
    id: '/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg-prod/providers/Microsoft.ContainerService/managedClusters/prod-1'
  }
  // Two clusters with one name: this one has another in settings, the journal and the status page.
  // {
  //   name: 'shop'
  //   id: '/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg-shop/providers/Microsoft.ContainerService/managedClusters/prod-1'
  // }
]

// App settings by their own names, see docs/settings.md. Lists have ; or line ends between their entries.
param settings = {
  MAINTENANCE_WINDOWS: 'Sat,Sun 02:00-06:00 Europe/Paris'
  // MAINTENANCE_WINDOWS: '''
  // prod-*=Sat,Sun 02:00-06:00 Europe/Paris
  // dev-*=always
  // '''
  // MAX_CONCURRENT: '1; dev-*=10%'
  // DRAIN_TIMEOUT: '30m; prod-*/gpu=3h'
  // HOLD: 'prod-*=change freeze CHG0042'
  // An address is a secret: it stays in a Key Vault, which lets the identity id-reboots-… read it (role Key Vault Secrets User).
  // NOTIFY_URLS: '@Microsoft.KeyVault(SecretUri=https://VAULT.vault.azure.net/secrets/notify-urls)'
  DRY_RUN: true
}

// 512, 2048 or 4096.
// param instanceMemoryMB = 512

// Clusters with authorized IP ranges: requests leave by one address, which the deployment's output outboundAddress names.
// param network = { kind: 'new', addressPrefix: '10.90.0.0/26' }
// The same, and storage by private endpoints alone:
// param network = { kind: 'new', addressPrefix: '10.90.0.0/26', privateStorage: true }
// Private clusters: a network that reaches their API servers and resolves their names.
// param network = {
//   kind: 'existing'
//   appSubnetId: '/subscriptions/…/resourceGroups/…/providers/Microsoft.Network/virtualNetworks/…/subnets/…'
//   endpointSubnetId: '/subscriptions/…/resourceGroups/…/providers/Microsoft.Network/virtualNetworks/…/subnets/…'
// }

// What is there already:
// param workspaceId = '/subscriptions/…/resourceGroups/…/providers/Microsoft.OperationalInsights/workspaces/…'
// param actionGroupId = '/subscriptions/…/resourceGroups/…/providers/Microsoft.Insights/actionGroups/…'
// param alertEmails = ['platform@example.com']
// What alerts take for too long: docs/operations.md has a heading for each alert.
// param alertLimits = { waitingDays: 14, cordonedHours: 6, drainsGivenUp: 3, noTickMinutes: 10 }

// Entra sign-in before the pages: docs/deploy.md says how the app registration is made.
// param signIn = { clientId: '00000000-0000-0000-0000-000000000000', allowedGroupIds: ['00000000-0000-0000-0000-000000000000'] }
