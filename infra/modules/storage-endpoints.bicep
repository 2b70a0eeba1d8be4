// Private endpoints of the account: blobs and tables.
param location string
param tags object
param accountId string
param accountName string
param subnetId string
param dnsZoneIds { blob: string, table: string }?

var services = ['blob', 'table']
var vnetId = split(subnetId, '/subnets/')[0]

resource zones 'Microsoft.Network/privateDnsZones@2024-06-01' = [
  for service in services: if (dnsZoneIds == null) {
    name: 'privatelink.${service}.${environment().suffixes.storage}'
    location: 'global'
    tags: tags
  }
]

resource links 'Microsoft.Network/privateDnsZones/virtualNetworkLinks@2024-06-01' = [
  for (service, index) in services: if (dnsZoneIds == null) {
    parent: zones[index]
    name: last(split(vnetId, '/'))
    location: 'global'
    tags: tags
    properties: {
      virtualNetwork: { id: vnetId }
      registrationEnabled: false
    }
  }
]

// One after the other: an account refuses a second one while it is busy with the first.
@batchSize(1)
resource endpoints 'Microsoft.Network/privateEndpoints@2025-01-01' = [
  for service in services: {
    name: 'pep-${accountName}-${service}'
    location: location
    tags: tags
    properties: {
      subnet: { id: subnetId }
      privateLinkServiceConnections: [
        {
          name: service
          properties: {
            privateLinkServiceId: accountId
            groupIds: [service]
          }
        }
      ]
    }
  }
]

resource zoneGroups 'Microsoft.Network/privateEndpoints/privateDnsZoneGroups@2025-01-01' = [
  for (service, index) in services: {
    parent: endpoints[index]
    name: 'default'
    properties: {
      privateDnsZoneConfigs: [
        {
          name: service
          properties: { privateDnsZoneId: dnsZoneIds[?service] ?? zones[index].id }
        }
      ]
    }
    dependsOn: [links]
  }
]
