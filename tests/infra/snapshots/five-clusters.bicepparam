// A fleet in three subscriptions, two clusters of it with one name, one id in another case.
using '../../../infra/main.bicep'

param environmentName = 'fleet'
param clusters = [
  {
    id: '/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/rg-prod/providers/Microsoft.ContainerService/managedClusters/prod-1'
  }
  {
    id: '/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/rg-prod/providers/Microsoft.ContainerService/managedClusters/prod-2'
  }
  {
    id: '/subscriptions/00000000-0000-0000-0000-000000000002/resourceGroups/rg-shop/providers/Microsoft.ContainerService/managedClusters/aks'
    name: 'shop'
  }
  {
    id: '/subscriptions/00000000-0000-0000-0000-000000000003/resourcegroups/RG-Data/providers/microsoft.containerservice/managedclusters/aks'
    name: 'data'
  }
  {
    id: '/subscriptions/00000000-0000-0000-0000-000000000003/resourceGroups/rg-dev/providers/Microsoft.ContainerService/managedClusters/dev_1'
  }
]
param settings = {
  MAINTENANCE_WINDOWS: '''
prod-*=Sat,Sun 02:00-06:00 Europe/Paris
shop=Mon-Thu 22:00+4h America/New_York
data=Sun 00:00-04:00
dev_*=always
'''
  MAX_CONCURRENT: '1; dev_1=10%; prod-*/gpu=2'
  HOLD: 'prod-2=change freeze CHG0042'
}
param alertEmails = ['platform@example.com', 'night@example.com']
