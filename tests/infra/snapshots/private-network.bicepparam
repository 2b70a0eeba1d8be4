// Everything in a network that is there already, with names that it resolves already.
using '../../../infra/main.bicep'

param environmentName = 'private'
param clusters = [
  {
    id: '/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/rg-prod/providers/Microsoft.ContainerService/managedClusters/private-1'
  }
]
param settings = {
  MAINTENANCE_WINDOWS: 'Fri 22:00-04:00 W. Europe Standard Time'
  STATE_TABLE: 'PrivateReboots'
}
param network = {
  kind: 'existing'
  appSubnetId: '/subscriptions/00000000-0000-0000-0000-000000000009/resourceGroups/rg-network/providers/Microsoft.Network/virtualNetworks/spoke/subnets/functions'
  endpointSubnetId: '/subscriptions/00000000-0000-0000-0000-000000000009/resourceGroups/rg-network/providers/Microsoft.Network/virtualNetworks/spoke/subnets/endpoints'
  dnsZoneIds: {
    blob: '/subscriptions/00000000-0000-0000-0000-000000000009/resourceGroups/rg-dns/providers/Microsoft.Network/privateDnsZones/privatelink.blob.core.windows.net'
    table: '/subscriptions/00000000-0000-0000-0000-000000000009/resourceGroups/rg-dns/providers/Microsoft.Network/privateDnsZones/privatelink.table.core.windows.net'
  }
}
param workspaceId = '/subscriptions/00000000-0000-0000-0000-000000000009/resourceGroups/rg-logs/providers/Microsoft.OperationalInsights/workspaces/central'
param actionGroupId = '/subscriptions/00000000-0000-0000-0000-000000000009/resourceGroups/rg-logs/providers/Microsoft.Insights/actionGroups/on-call'
