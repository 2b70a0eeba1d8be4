// The least that is needed.
using '../../../infra/main.bicep'

param environmentName = 'one'
param clusters = [
  {
    id: '/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/rg-prod/providers/Microsoft.ContainerService/managedClusters/prod-1'
  }
]
param settings = { MAINTENANCE_WINDOWS: 'Sat,Sun 02:00-06:00 Europe/Paris' }
